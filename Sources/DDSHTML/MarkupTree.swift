// A document read as browsers read it, by Gumbo, with bounds on what it may cost. What of it is kept is decided by whoever walks it.

import CGumbo

/// An element as the parser saw it.
struct MarkupElement {
    /// In lower case; empty for elements that HTML does not know.
    var name: String
    /// False inside of `svg` and `math`.
    var isHTML: Bool
    /// In lower case; of two with one name the first.
    var attributes: [(name: String, value: String)]

    subscript(_ name: String) -> String? { attributes.first { $0.name == name }?.value }
}

/// Is led through a document in its order.
protocol MarkupVisitor {
    /// Whether to go inside; `close` follows only then.
    mutating func open(_ element: MarkupElement) -> Bool
    mutating func close()
    mutating func text(_ text: String)
}

/// Owns one parse.
@safe final class MarkupTree {
    /// Octets of a document.
    static let octetsMax = 1 << 20
    /// Elements inside one another: more is refused by the parser's growth from here to the double.
    static let depthMax = 1280
    /// Attributes of one element that are looked at.
    private static let attributesMax = 64

    private let octets: [UInt8]
    private let parse: UnsafeMutablePointer<dds_gumbo_parse>

    /// Costs up to 2 s of processor time and 64 MiB for the worst there is, and 200 ms for an honest MiB.
    init(_ document: [UInt8]) throws(HTMLRefusal) {
        guard document.count <= Self.octetsMax else { throw .tooLarge }
        octets = document
        let limits = dds_gumbo_limits(octets_max: 64 << 20, open_max: Self.depthMax, milliseconds_max: 2000)
        // The tree points into the text only for positions, which nobody asks for.
        let begun = unsafe octets.withUnsafeBytes { buffer in
            unsafe dds_gumbo_begin_parse(buffer.baseAddress?.assumingMemoryBound(to: CChar.self), buffer.count, limits)
        }
        guard let begun = unsafe begun else { throw .tooLarge }
        let end = unsafe begun.pointee.end
        guard end == DDS_GUMBO_PARSED else {
            unsafe dds_gumbo_end_parse(begun)
            throw end == DDS_GUMBO_TOO_DEEP ? .tooDeep : end == DDS_GUMBO_TOO_LONG ? .tooLong : .tooLarge
        }
        unsafe parse = begun
    }

    deinit {
        unsafe dds_gumbo_end_parse(parse)
    }

    @safe private struct Place {
        var children: GumboVector
        var next: UInt32 = 0
    }

    /// Leads `visitor` through the document without recursion.
    func walk(_ visitor: inout some MarkupVisitor) {
        guard let root = unsafe parse.pointee.output.pointee.document else { return }
        var places = unsafe [Place(children: root.pointee.v.document.children)]
        while let place = places.last {
            guard unsafe place.next < place.children.length else {
                places.removeLast()
                if !places.isEmpty { visitor.close() }
                continue
            }
            places[places.count - 1].next += 1
            guard let item = unsafe place.children.data[Int(place.next)] else { continue }
            let node = unsafe item.assumingMemoryBound(to: GumboNode.self)
            switch unsafe node.pointee.type {
            case GUMBO_NODE_ELEMENT, GUMBO_NODE_TEMPLATE:
                let element = unsafe node.pointee.v.element
                let seen = unsafe Self.element(element)
                if visitor.open(seen) { places.append(unsafe Place(children: element.children)) }
            case GUMBO_NODE_TEXT, GUMBO_NODE_WHITESPACE:
                if let text = unsafe node.pointee.v.text.text { visitor.text(unsafe String(cString: text)) }
            // Of a CDATA section outside of foreign elements browsers make a comment.
            default: break
            }
        }
    }

    private static func element(_ element: GumboElement) -> MarkupElement {
        var attributes: [(name: String, value: String)] = []
        let count = unsafe min(Int(element.attributes.length), attributesMax)
        for index in 0..<count {
            guard let item = unsafe element.attributes.data[index] else { continue }
            let attribute = unsafe item.assumingMemoryBound(to: GumboAttribute.self).pointee
            guard unsafe attribute.attr_namespace == GUMBO_ATTR_NAMESPACE_NONE, let name = unsafe attribute.name else { continue }
            let value = unsafe attribute.value
            let text = unsafe value.map { unsafe String(cString: $0) }
            attributes.append((unsafe String(cString: name), text ?? ""))
        }
        let name = unsafe gumbo_normalized_tagname(element.tag)
        return MarkupElement(
            name: unsafe name.map { unsafe String(cString: $0) } ?? "", isHTML: unsafe element.tag_namespace == GUMBO_NAMESPACE_HTML,
            attributes: attributes)
    }
}

/// Why there is no formatted view of a document.
package enum HTMLRefusal: Error, Hashable, Sendable {
    case tooLarge, tooDeep, tooLong
    /// What comes of it is read as something else each time.
    case unsteady
}
