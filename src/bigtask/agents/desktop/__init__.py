"""The `desktop` agent: sessions in a Claude Desktop that the person has opened, over the Chrome DevTools
Protocol. It attaches and never starts the application."""
