"""The dashboard: pages that a browser shows, served beside the endpoints by `bigtask serve`.

static/core/     what is shown, as plain values: the fold of events, the picture's geometry, words
static/screens/  one module for each screen, and the parts that they share
static/*.js      REST, the WebSocket, and which screen it is
static/vendor/   libraries of others, unmodified
"""
