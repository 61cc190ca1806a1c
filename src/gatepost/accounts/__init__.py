"""Users, passwords and sign-in: a feature built on the other layers, as an application would build its own."""
