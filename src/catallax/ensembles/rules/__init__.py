"""Price rules: how the offers of fitted members become one price, each with the traders that it stands for."""
