// How a message lies in an agent's store: a record of its own and a summary of the same tag that lists it. What it takes to
// come in from the inbox and to be removed, and what a machine that stopped half way has left to be finished. No I/O.

/// How a fetched message leaves the inbox.
package enum InboxImport {
    /// Moves it into the store; a message that an interrupted import has stored already is only erased from the inbox. Its
    /// summary remembers `record`, for `finished`.
    package static func moving(_ record: SpoolUID, as message: [SpoolAppend], isKnown: Bool) -> SpoolTransaction {
        SpoolTransaction(appends: isKnown ? [] : message, erasures: [record])
    }

    /// The records of the inbox that a stopped machine has moved already and not erased yet. To be erased before anybody can
    /// remove what they became: whoever imports them after that would bring it back. `origins` are what summaries remember.
    package static func finished(_ inbox: [SpoolEntry], origins: Set<SpoolUID>) -> [SpoolUID] {
        inbox.map(\.uid).filter { origins.contains($0) }
    }
}

/// How messages leave the store.
package enum StoreRemoval {
    /// To be committed one after the other. What a crash between them leaves is a summary without its message, which
    /// `leftovers` finds: the other way round the message would be there and listed nowhere, and nobody could tell whether it
    /// was to go or its summary was lost. One transaction would not do, since a crash may cut it off anywhere.
    package static func removing(messages: [SpoolUID], summaries: [SpoolUID]) -> [SpoolTransaction] {
        [SpoolTransaction(erasures: messages), SpoolTransaction(erasures: summaries)]
    }

    /// Summaries whose message is gone: the removal was under way, or the message's loss was accepted. Nothing is left to
    /// be shown, so they go.
    package static func leftovers(summaries: [SpoolEntry], messages: [SpoolEntry]) -> [SpoolUID] {
        let known = Set(messages.map(\.tag))
        return summaries.filter { !known.contains($0.tag) }.map(\.uid)
    }
}
