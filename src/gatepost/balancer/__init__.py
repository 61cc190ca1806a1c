"""HAProxy in front of several instances: its configuration, and HAProxy itself as a child process."""
