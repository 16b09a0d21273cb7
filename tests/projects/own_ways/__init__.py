"""A project that differs wherever settings let it: below a prefix, one transaction a request, no translation.

Its admin is a site of its own, requests and messages open their connections anew, templates tell of what they lack.
"""
