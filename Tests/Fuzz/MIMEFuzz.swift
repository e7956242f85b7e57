// The MIME structure of any octets, held against everything that must be true of it.

@testable import DDSWire

func fuzzMIME(_ input: [UInt8]) {
    let choice = Int(input.last ?? 0)
    let (depthMax, partsMax) = choice == 0x0a ? (20, 1000) : (choice % 5, 1 + choice / 16)
    let structure = MIMEStructure(input, depthMax: depthMax, partsMax: partsMax)
    let complaints = mimeComplaints(structure, partsMax: partsMax)
    precondition(complaints.isEmpty, complaints.joined(separator: "; "))
    for names in [["subject", "Content-Type"], [], [""]] {
        let named = structure.octets(of: MIMESection(what: .fields(names)))?.count ?? 0
        let others = structure.octets(of: MIMESection(what: .fieldsNot(names)))?.count ?? 0
        let emptyLine = structure.octets(of: MIMESection(what: .fields([])))?.count ?? 0
        let header = structure.octets(of: MIMESection(what: .header))?.count ?? 0
        precondition(named + others == header + emptyLine, "fields are a header's parts")
    }
}
