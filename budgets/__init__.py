"""What a customer may spend, has spent, and every adjustment."""
