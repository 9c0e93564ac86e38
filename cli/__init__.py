"""The commands of `kameng`, one module a group."""
