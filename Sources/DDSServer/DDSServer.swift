// DDSServer
