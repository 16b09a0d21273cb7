"""The REST API. It needs djangorestframework; include ``django_wfe.urls`` to serve it.

Its views hold no rules: they pass ``request.user`` on to ``django_wfe.engine``, take their rows from
``django_wfe.engine.access``, and turn what the engine raises into responses in ``django_wfe.api.frame.errors``.
"""
