// DDSLoop
