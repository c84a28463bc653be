"""The stages: fetch, infer, select, consensus and retrain, each attached to a Faust app of its own."""
