"""What subscribers build on, generated from the contracts: schemas, examples, AsyncAPI, a catalogue."""
