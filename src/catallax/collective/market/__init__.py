"""What prediction markets are made of: wealth over time (NumPy alone), traders, mechanisms, and a game of timing."""
