"""The console: a page that shows what Tiebreak does, at /console of the backend. It only reads.

    pages     the page's own files, and the headers that keep it to itself
    routes    /console/, /console/state.json, /console/reports/…
    state     what is shown: collected a few seconds apart, however many look
    panels    one file each: what a part of the page says
    gauges    the same for Prometheus

Its numbers come from Redis and from the storage of the models; Label Studio is not asked: the reconciler keeps its list
of projects in Redis (`project_list`).
"""
