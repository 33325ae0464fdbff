"""Tessera's service. `app.factory` joins the rooms; this file stays empty, so that the sandbox and the commands on
pass files load nothing that they do not use."""
