// Where the process begins. Everything else is in Tool.

import Glibc

exit(Tool.main(Array(CommandLine.arguments.dropFirst())))
