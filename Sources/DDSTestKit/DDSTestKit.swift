import DDSSpool
