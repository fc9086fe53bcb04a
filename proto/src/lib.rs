//! Wire messages: protobuf frames, envelopes and their JSON view.
