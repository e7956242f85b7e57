// DDSAgent
