"""Strategies of other libraries, made to keep our rules; each library is imported when it is asked for."""
