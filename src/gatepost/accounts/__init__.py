"""Users, passwords and sign-in: a feature written with the public interface, as users of Gatepost write theirs."""
