// What --version says of the program and what it is linked with.

import DDSHTTP
import DDSLoop
import DDSMail
import DDSNode
import DDSSeal
import DDSTLS

extension ProgramVersion {
    static var text: String {
        """
        ddsnode \(number)
        libuv \(LoopLibrary.version), libsodium \(SealLibrary.version), OpenSSL \(TLSLibrary.version), \
        GMime \(MailLibrary.version), libmicrohttpd \(HTTPLibrary.version)
        """
    }
}
