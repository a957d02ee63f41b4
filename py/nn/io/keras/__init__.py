"""Files of Keras: `.keras` (`keras3`), `.h5` (`legacy_h5`), and the topology that both hold."""
