// What --version says.

import DDSHTTP
import DDSLoop
import DDSMail
import DDSSeal
import DDSTLS

enum ProgramVersion {
    static let number = "0.1.0"

    static var text: String {
        """
        ddsnode \(number)
        libuv \(LoopLibrary.version), libsodium \(SealLibrary.version), OpenSSL \(TLSLibrary.version), \
        GMime \(MailLibrary.version), libmicrohttpd \(HTTPLibrary.version)
        """
    }
}
