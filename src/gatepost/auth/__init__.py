"""Who is asking and what they may do: the actor, policies and the token verifier. Interfaces and checks only."""
