"""From method and path to the action, and from the action to its handler, under its policy."""
