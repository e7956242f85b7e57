// DDSNode
