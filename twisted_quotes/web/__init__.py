"""Everything that speaks HTTP. Only here is Klein imported."""
