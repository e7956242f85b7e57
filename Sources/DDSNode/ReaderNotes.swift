// What stands beside the key in the header of a reader's copy of a message to a group of mode `sealed`. The author's agent writes it
// and the node, which cannot change a header, passes on nothing else: so that it is the node's word as in the other modes.

package import DDSSeal

package enum ReaderNotes {
    /// `keys` is the kind that all readers have, nil where the group promises nothing; `author` is who is logged in, where the
    /// group wants the node's word for that.
    package static func sealed(
        group: String, roster: RosterHead, keys: AgeKeyKind?, author: String?, keyNumber: UInt64?
    ) -> [AgeStanza] {
        var notes = keys.map { [SealNote.stanza($0)] } ?? []
        notes += [ModeNote.stanza(.sealed)].compactMap { $0 }
        notes += [GroupNote.stanza(group), RosterNote(group: group, head: roster).stanza]
        if let author { notes.append(AuthorNote(group: group, author: author).stanza) }
        if let keyNumber { notes.append(KeyNote.stanza(keyNumber)) }
        return notes
    }

    /// The kind of keys of a message for these readers, for `keys` above: `policy` is the group's word about post-quantum keys.
    package static func kind(of keys: some Sequence<AgeKeyKind>, policy: String) -> AgeKeyKind? {
        policy == "off" ? nil : keys.allSatisfy { $0 == .hybrid } ? .hybrid : .classical
    }
}
