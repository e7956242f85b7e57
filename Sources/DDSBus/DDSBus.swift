// DDSBus
