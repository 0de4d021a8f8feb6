"""Markets that go on: what one outcome after another does to wealth and tolerance."""
