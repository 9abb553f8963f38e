"""Strategies of hypothesis for what may come from elsewhere: messages, cards and files."""
