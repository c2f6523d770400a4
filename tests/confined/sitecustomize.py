"""Python imports this when it starts: the tests put this folder on the path of their children."""

from confined_watch import install_in_child

install_in_child()
