// The file by which mail programs set themselves up (config-v1.1.xml of Mozilla's autoconfiguration). Everybody who asks the
// page may have it: it says where to connect on this machine, and neither who the person is nor any password.

import DDSCore
import DDSLoop

extension GatewayDesk {
    /// Nil while nothing that such a file can name is on.
    var autoconfig: String? {
        let servers = GatewayProtocol.allCases.compactMap { row -> String? in
            guard case .tcp(let host, let port)? = endpoint(of: row) else { return nil }
            return Autoconfig.server(row, host: host, port: port, isTLS: isTLS)
        }
        return servers.isEmpty ? nil : Autoconfig.document(domain: agent.account.address.domain, servers: servers)
    }
}

enum Autoconfig {
    static func document(domain: String, servers: [String]) -> String {
        """
        <?xml version="1.0" encoding="UTF-8"?>
        <clientConfig version="1.1">
          <emailProvider id="\(HTMLEscaping.escape(domain))">
            <domain>\(HTMLEscaping.escape(domain))</domain>
            <displayName>\(HTMLEscaping.escape(domain)), by ddsnode on this computer</displayName>
            <displayShortName>ddsnode</displayShortName>
        \(servers.joined(separator: "\n"))
          </emailProvider>
        </clientConfig>

        """
    }

    static func server(_ row: GatewayProtocol, host: String, port: UInt16, isTLS: Bool) -> String {
        let element =
            switch row {
            case .imap, .pop3: "incomingServer"
            case .smtp: "outgoingServer"
            }
        return """
                <\(element) type="\(row.rawValue)">
                  <hostname>\(HTMLEscaping.escape(host))</hostname>
                  <port>\(port)</port>
                  <socketType>\(isTLS ? "SSL" : "plain")</socketType>
                  <authentication>password-cleartext</authentication>
                  <username>%EMAILADDRESS%</username>
                </\(element)>
            """
    }
}
