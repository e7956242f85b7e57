// Every key there is, once: the loader, `config print`, the samples in etc/, the manual's test and the suggestions read this table.

import DDSCore
import DDSDesktop

package enum ConfigSchema {
    /// In the order of samples and manual: keys of one table stand together.
    package static let keys: [ConfigKey] = node + listen + server + agent + log

    static func key(_ path: String) -> ConfigKey? { byPath[path] }

    /// A role's keys start with its name; all others concern every role.
    static let roles = ["server", "agent"]

    private static let byPath = Dictionary(uniqueKeysWithValues: keys.map { ($0.path, $0) })

    private static let node = [
        ConfigKey(
            "roles", .words(\.roles, roles), .value(.list([])), restart: true,
            "What this process is: a server, a person's agent, or both. The flag --role overrides it."),
        ConfigKey(
            "node.name",
            .text("domain", example: "node.example.org", \.node.name, normal: { $0.lowercased() }) { isDomain($0) },
            .value(.text("localhost")), restart: true,
            "The mail domain: members are name@this."),
        ConfigKey(
            "node.host",
            .text("host", example: "mail.example.org", \.node.host, isOptional: true) { ConfigEndpoint.isHost($0) },
            .derived(spoken: "node.name", sample: .text("")),
            "The host name or address that invites carry. Ports other than 995 and 465 travel in the invite too."),
        ConfigKey(
            "node.state_dir", .text("absolute path", example: "/var/lib/ddsnode", \.node.stateDirectory) { isPath($0) },
            .derived(
                spoken: "/var/lib/ddsnode with the server role, else $XDG_STATE_HOME/ddsnode", sample: .text("/var/lib/ddsnode")
            ),
            restart: true,
            "Where state is kept, each role in a folder of its own name."),
        ConfigKey(
            "node.runtime_dir", .text("absolute path", example: "/run/ddsnode", \.node.runtimeDirectory) { isPath($0) },
            .derived(spoken: "/run/ddsnode with the server role, else $XDG_RUNTIME_DIR/ddsnode", sample: .text("/run/ddsnode")),
            restart: true,
            "Where control sockets are."),
    ]

    private static let listen = [
        ConfigKey(
            "server.listen.pop3s", .endpoints(\.server.listen.pop3s, isLocal: false), .value(.list([.text("[::]:995")])),
            restart: true,
            "POP3 with TLS from the first byte (RFC 8314)."),
        ConfigKey(
            "server.listen.submissions", .endpoints(\.server.listen.submissions, isLocal: false),
            .value(.list([.text("[::]:465")])), restart: true,
            "Submission with TLS from the first byte (RFC 8314)."),
        ConfigKey(
            "server.listen.pop3", .endpoints(\.server.listen.pop3, isLocal: false), .value(.list([])), restart: true,
            "POP3 with STLS. There is no login before TLS."),
        ConfigKey(
            "server.listen.submission", .endpoints(\.server.listen.submission, isLocal: false), .value(.list([])),
            restart: true,
            "Submission with STARTTLS. There is no login before TLS."),
        ConfigKey(
            "server.listen.lmtp", .endpoints(\.server.listen.lmtp, isLocal: true), .value(.list([])), restart: true,
            "LMTP from the local mail transfer agent. Mail is sealed on arrival. A unix socket is for the server's user and group."),
    ]

    private static let server = [
        ConfigKey(
            "server.tls.certificate_file",
            .text("absolute path", example: "/etc/ddsnode/tls.crt", \.server.tls.certificateFile, isOptional: true) {
                isPath($0)
            },
            .value(.text("")),
            "A certificate in PEM, with its chain, for mail programs that ask authorities. Without one the node shows its own, "
                + "which every invite pins."),
        ConfigKey(
            "server.tls.key_file",
            .text("absolute path", example: "/etc/ddsnode/tls.key", \.server.tls.keyFile, isOptional: true) { isPath($0) },
            .value(.text("")),
            "The private key of certificate_file, in PEM and without a passphrase."),
        ConfigKey(
            "server.keys.master", .masterKey(\.server.keys.master), .value(.text("file")), restart: true,
            "What opens the node's keyring: \"file\" is master.key in the state folder; with \"passphrase\" the node starts sealed "
                + "and serves after `ddsnode unlock`; \"credential\" is the systemd credential ddsnode.mk; \"fd:N\" is read "
                + "from an open file descriptor."),
        ConfigKey(
            "server.spool.engine", .word(\.server.spool.engine), .value(.text("embedded")), restart: true,
            "What keeps the mail that waits."),
        ConfigKey(
            "server.spool.segment_size", .size(\.server.spool.segmentSize, 1 << 20...1 << 30), .value(.text("64MiB")),
            restart: true,
            "The size of a new segment of the spool."),
        ConfigKey(
            "server.spool.rotate_root", .duration(\.server.spool.rotateRoot, .seconds(60)...days(365)), .value(.text("24h")),
            "How old the key above all keys of the spool gets once something was erased under it. With its end everything that "
                + "was erased before has reached level E3: what old blocks, snapshots and copies still hold of it is worthless."),
        ConfigKey(
            "server.spool.keep_undelivered", .duration(\.server.spool.keepUndelivered, .seconds(60)...days(3650)),
            .value(.text("30d")),
            "How long mail waits for a member who does not fetch. Then it is erased unread: the member gets a notice, and the author sees it in the delivery state."),
        ConfigKey(
            "server.spool.mailbox_quota", .size(\.server.spool.mailboxQuota, 1 << 10...1 << 44), .value(.text("2GiB")),
            "How much mail may wait for one member. More is refused for now where it is sent to the member, and held where it comes "
                + "through a group. What the node itself writes does not count."),
        ConfigKey(
            "server.spool.states_every", .duration(\.server.spool.statesEvery, .seconds(1)...days(1)), .value(.text("30s")),
            "How often an author is told, at most, what became of messages."),
        ConfigKey(
            "server.limits.message_size", .size(\.server.limits.messageSize, 1 << 10...1 << 30), .value(.text("25MiB")),
            "The largest message that is taken."),
        ConfigKey(
            "server.limits.connections", .integer(\.server.limits.connections, 1...1_000_000), .value(.integer(10000)),
            "How many connections may be open."),
        ConfigKey(
            "server.limits.connections_per_ip", .integer(\.server.limits.connectionsPerIP, 1...1_000_000), .value(.integer(50)),
            "How many of them from one address."),
        ConfigKey(
            "server.limits.logins_per_minute", .integer(\.server.limits.loginsPerMinute, 1...100_000), .value(.integer(10)),
            "How many failed logins per minute, counted by address and by user."),
        ConfigKey(
            "server.limits.messages_per_hour", .integer(\.server.limits.messagesPerHour, 1...1_000_000_000), .value(.integer(3600)),
            "How many messages one member may send within an hour. Counting begins anew when the node starts."),
        ConfigKey(
            "server.limits.bytes_per_day", .size(\.server.limits.bytesPerDay, 1 << 10...1 << 44), .value(.text("4GiB")),
            "How much one member may send within 24 hours. Counting begins anew when the node starts."),
    ]

    private static let agent = [
        ConfigKey(
            "agent.address",
            .text("mail address", example: "bob@node.example.org", \.agent.address, isOptional: true) {
                MailAddress($0) != nil
            },
            .value(.text("")),
            "The member whose agent this is. Known from the joined account, like the next three; set them only to override."),
        ConfigKey(
            "agent.node_key",
            .text("node key", example: "7Q2KM4VX9TREA1ZPC3HD8NWY5B", \.agent.nodeKey, isOptional: true) { isNodeKey($0) },
            .value(.text("")),
            "The hash of the node's key, as the invite has it."),
        ConfigKey(
            "agent.pop3s", .endpoint(\.agent.pop3s, isLocal: false, isOptional: true), .value(.text("")),
            "Where the agent fetches, as host:port."),
        ConfigKey(
            "agent.submissions", .endpoint(\.agent.submissions, isLocal: false, isOptional: true), .value(.text("")),
            "Where the agent submits, as host:port."),
        ConfigKey(
            "agent.fetch_every", .duration(\.agent.fetchEvery, .seconds(1)...days(7)), .value(.text("1m")),
            "How often to look for mail where the node cannot tell of it by itself."),
        ConfigKey(
            "agent.lock.idle", .duration(\.agent.lock.idle, .seconds(1)...days(30)), .value(.text("15m")),
            "After how long without use the agent forgets its keys."),
        ConfigKey(
            "agent.lock.on_suspend", .flag(\.agent.lock.onSuspend), .value(.flag(true)),
            "Forget the keys before the machine sleeps. Sleep waits for that, for as long as logind lets it."),
        ConfigKey(
            "agent.lock.on_screen_lock", .flag(\.agent.lock.onScreenLock), .value(.flag(true)),
            "Forget the keys when the screen is locked."),
        ConfigKey(
            "agent.web.listen", .endpoint(\.agent.web.listen, isLocal: true, isOptional: false),
            .value(.text("127.0.0.1:7381")),
            restart: true,
            "Where the page is served. The next free port is taken where this one is in use, and status tells which."),
        ConfigKey(
            "agent.web.host", .text("host", example: "ddsnode.localhost", \.agent.web.host) { ConfigEndpoint.isHost($0) },
            .value(.text("ddsnode.localhost")), restart: true,
            "The host name in the page's address. Requests for any other are refused."),
        ConfigKey(
            "agent.web.check_peer_uid", .flag(\.agent.web.checkPeerUID), .value(.flag(true)),
            "Refuse connections that other users of this machine open."),
        ConfigKey(
            "agent.web.undo_send", .duration(\.agent.web.undoSend, .zero...Duration.seconds(60)), .value(.text("10s")),
            "How long a message written on the page waits before it goes out, so that it can be taken back."),
        ConfigKey(
            "agent.web.html", .word(\.agent.web.html), .value(.text("on-request")), restart: true,
            "Whether the formatted version of a message can be asked for on the page. Nothing is ever loaded for it."),
        ConfigKey(
            "agent.tray.enabled", .word(\.agent.tray), .value(.text("auto")), restart: true,
            "The icon in the desktop's tray: \"auto\" shows it where there is a tray; with \"on\" status says so where there is "
                + "none; \"off\" shows none."),
        ConfigKey(
            "agent.notify.content", .word(\.agent.notify.content), .value(.text("count")),
            "What a notification of new mail says: nothing at all, how much came, from whom, or what it is about as well. While "
                + "the agent is locked it is never more than how much. The desktop's notification server may keep what it is told."),
        ConfigKey(
            "agent.notify.quiet",
            .texts("hours of the day", example: "22:00-07:00", \.agent.notify.quiet) { QuietHours($0) != nil },
            .value(.list([])),
            "Hours of the local day without notifications. They may go over midnight."),
        ConfigKey(
            "agent.gateway.imap", .endpoint(\.agent.gateway.imap, isLocal: true, isOptional: true), .value(.text("")),
            restart: true,
            "Where mail programs of this person read with IMAP, such as 127.0.0.1:1143, whatever `ddsnode gateway` says. When empty, "
                + "that command decides. Only this user's own processes may connect."),
        ConfigKey(
            "agent.gateway.pop3", .endpoint(\.agent.gateway.pop3, isLocal: true, isOptional: true), .value(.text("")),
            restart: true,
            "Where mail programs of this person fetch with POP3, such as 127.0.0.1:1110. The rest as for imap."),
        ConfigKey(
            "agent.gateway.smtp", .endpoint(\.agent.gateway.smtp, isLocal: true, isOptional: true), .value(.text("")),
            restart: true,
            "Where mail programs of this person submit with SMTP, such as 127.0.0.1:1025. The rest as for imap."),
        ConfigKey(
            "agent.gateway.tls", .flag(\.agent.gateway.tls), .value(.flag(false)),
            restart: true,
            "Mail programs speak TLS from the first byte, at all three, whatever `ddsnode gateway` says. When false, that command "
                + "decides. They have to trust the gateway's certificate first; see `ddsnode gateway trust`."),
    ]

    private static let log = [
        ConfigKey(
            "log.level", .word(\.log.level), .value(.text("info")),
            "The least important events to log."),
        ConfigKey(
            "log.addresses", .word(\.log.addresses), .value(.text("hash")),
            "How the addresses of peers that fail to log in appear in the log."),
    ]

    // MARK: - Rules

    private static func days(_ count: Int) -> Duration { .seconds(count * 86400) }

    private static func isDomain(_ text: String) -> Bool {
        MailAddress(local: "a", domain: text) != nil && ConfigEndpoint.isHost(text) && !text.contains(":")
            && !text.hasSuffix(".")
    }

    private static func isPath(_ text: String) -> Bool {
        text.hasPrefix("/") && text.utf8.count <= 4000 && !text.unicodeScalars.contains { $0.value < 0x20 }
    }

    /// 128 bits in base32, or more digits of some encoding of the whole hash; the agent compares it with what it pins.
    private static func isNodeKey(_ text: String) -> Bool {
        (26...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { octet in
                switch octet {
                case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
                default: false
                }
            }
    }
}
