// Addresses in header fields, read and written by GMime. Which of them may be mailed to is decided elsewhere.

import CGMime
import DDSCore

/// Address lists as GMime parses them.
enum AddressList {
    /// All mailboxes of a lent list, those inside groups among them.
    static func people(_ list: UnsafeMutablePointer<InternetAddressList>?) -> [Person] {
        var people: [Person] = []
        unsafe collect(list, depth: 0, into: &people)
        return people
    }

    /// The mailboxes of a header field's value; none where `ParserGuard` forbids to look.
    static func people(in value: [UInt8]) -> [Person] {
        guard ParserGuard.admits(addressField: value) else { return [] }
        GMimeLibrary.prepare()
        let text = String(decoding: value.filter { $0 != 0 }, as: UTF8.self)
        guard let list = unsafe GMimeReference(owning: internet_address_list_parse(nil, text)) else { return [] }
        return unsafe people(list.pointer)
    }

    /// A mailbox as it stands in a header field: name quoted or encoded (RFC 2047) as it needs.
    static func written(_ mailbox: MessageBuilder.Mailbox) -> String {
        GMimeLibrary.prepare()
        let name = SafeText(mailbox.name).text
        let address = mailbox.address.description
        let entry = unsafe made(internet_address_mailbox_new(name.isEmpty ? nil : name, address))
        unsafe internet_address_set_charset(entry.pointer, "utf-8")
        return unsafe String(freeing: internet_address_to_string(entry.pointer, nil, 1)) ?? "<\(address)>"
    }

    // RFC 6854 knows one level of groups; a second is somebody's experiment.
    private static func collect(_ list: UnsafeMutablePointer<InternetAddressList>?, depth: Int, into people: inout [Person]) {
        guard let list = unsafe list, depth < 2 else { return }
        let count = unsafe internet_address_list_length(list)
        for index in 0..<count {
            guard let entry = unsafe internet_address_list_get_address(list, index) else { continue }
            if let group = unsafe dds_mime_as_group(entry) {
                unsafe collect(internet_address_group_get_members(group), depth: depth + 1, into: &people)
            } else if let mailbox = unsafe dds_mime_as_mailbox(entry) {
                let address = unsafe String(lent: internet_address_mailbox_get_addr(mailbox)) ?? ""
                let name = unsafe String(lent: internet_address_get_name(entry)) ?? ""
                people.append(Person(name: SafeText(name), address: SafeText(address).text))
            }
        }
    }
}
