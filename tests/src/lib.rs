//! What only the whole house can show: corpus, oracle, laws, sockets, tidiness.
