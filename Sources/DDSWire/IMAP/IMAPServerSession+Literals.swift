// Whether a literal is welcome, before its first octet is taken (RFC 9051 4.3, RFC 7888): its place in the command, and its
// size. What it holds is not decided here.

extension IMAPServerSession {
    private enum Place {
        case argument
        case message(mailbox: String)
    }

    mutating func judge(_ literal: IMAPCommandReader.Announcement, into actions: inout [Action]) {
        let tag = IMAPCommand.tag(of: reader.command.lines[0])
        let place: Place
        do throws(IMAPFault) {
            place = try self.place()
        } catch {
            return giveUp(tag, error.reply, into: &actions)
        }
        switch place {
        case .argument:
            let max = isLoggedIn ? configuration.literalOctetsMax : configuration.literalOctetsMaxBeforeLogin
            let allMax = isLoggedIn ? configuration.commandOctetsMax : configuration.literalOctetsMaxBeforeLogin
            guard literal.octets <= max, literal.octets <= allMax - reader.literalOctets else {
                return giveUp(tag, "BAD [TOOBIG] Literals here have at most \(max) octets", into: &actions)
            }
            accept(literal, into: &actions)
        case .message(let mailbox):
            guard literal.octets > 0 else { return giveUp(tag, "NO [CANNOT] A message without octets", into: &actions) }
            guard literal.octets <= configuration.messageOctetsMax else {
                let words = "NO [TOOBIG] Messages have at most \(configuration.messageOctetsMax) octets"
                return giveUp(tag, words, into: &actions)
            }
            ask(
                .mayAppend(mailbox: mailbox, octets: literal.octets), .mayAppend(tag: tag ?? "*", literal), into: &actions)
        }
    }

    mutating func accept(_ literal: IMAPCommandReader.Announcement, into actions: inout [Action]) {
        reader.accept()
        if literal.isSynchronizing { send("+ Go on", into: &actions) }
    }

    mutating func giveUp(_ tag: String?, _ reply: String, into actions: inout [Action]) {
        if reader.refuse(reply) { refuse(tag, IMAPFault(reply: reply), into: &actions) }
    }

    /// What the announced literal would be, going by the command before it.
    private func place() throws(IMAPFault) -> Place {
        guard IMAPCommand.tag(of: reader.command.lines[0]) != nil else { throw .bad("Expected a tag") }
        var parser = IMAPParser(reader.command)
        parser.skipTag()
        let (verb, _) = try IMAPCommand.verb(&parser)
        try check(verb)
        guard verb.takesLiterals else { throw .bad("No literal belongs here") }
        guard verb == .append else { return .argument }
        do throws(IMAPFault) {
            let mailbox = try appendHead(&parser).mailbox
            guard parser.isAtLiteral else { throw .bad("Expected the message as a literal") }
            return .message(mailbox: mailbox)
        } catch {
            guard error.needsLiteral else { throw error }
            return .argument
        }
    }
}
