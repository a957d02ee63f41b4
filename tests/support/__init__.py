"""What tests of every room share: a static site that can misbehave, and Chromium."""
