"""The core: agents, signals, the loop that runs them, and what every problem shares."""
