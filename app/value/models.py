"""Money on cards: gift cards, stored value, cards without a person."""
