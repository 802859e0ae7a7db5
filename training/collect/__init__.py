"""Where GIFs come from: Giphy, folders and videos, with what was found and how much may still be asked."""
