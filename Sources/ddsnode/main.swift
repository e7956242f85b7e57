print("ddsnode")
