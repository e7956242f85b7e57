// What tests and the shipped simulator share is in DDSTorture; whoever imports the kit has it too.

@_exported public import DDSTorture
