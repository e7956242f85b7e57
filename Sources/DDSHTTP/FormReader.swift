// Reads form bodies piece by piece with libmicrohttpd's parser, files into memory. The size of the whole is the exchange's
// business.

import CMicroHTTPD
import DDSLoop

/// A body on its way in: fields and files of a form, or plain bytes.
@LoopActor @safe
final class FormReader {
    static let partsMax = 1000

    private enum Part {
        case none
        case field
        case upload
    }

    private(set) var body = HTTPBody()
    private var processor: OpaquePointer?
    private var current = Part.none
    private var values: [(name: String, value: [UInt8])] = []
    private var isBroken = false

    /// Chooses by the request's content type.
    init(connection: OpaquePointer) {
        unsafe processor = MHD_create_post_processor(
            connection, 16384,
            { context, _, key, fileName, type, _, data, offset, size in
                guard let context = unsafe context, let key = unsafe key else { return .YES }
                let reader = unsafe Unmanaged<FormReader>.fromOpaque(context).takeUnretainedValue()
                var bytes: [UInt8] = []
                if let data = unsafe data { bytes = unsafe Array(UnsafeRawBufferPointer(start: data, count: size)) }
                let name = unsafe String(cString: key)
                var uploadName: String?
                if let fileName = unsafe fileName { uploadName = unsafe String(cString: fileName) }
                var contentType = ""
                if let type = unsafe type { contentType = unsafe String(cString: type) }
                return reader.take(name, uploadName, contentType, bytes, isFirst: offset == 0) ? .YES : .NO
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    /// Takes the next piece; false when the body is no form it can read.
    func feed(_ piece: UnsafeRawBufferPointer) -> Bool {
        guard let processor = unsafe processor else {
            body.bytes += unsafe Array(piece)
            return true
        }
        guard let base = piece.baseAddress, unsafe !piece.isEmpty else { return true }
        let result = unsafe MHD_post_process(processor, base.assumingMemoryBound(to: CChar.self), piece.count)
        return result == .YES && !isBroken
    }

    /// The body is complete, or nobody wants it any more. Must be called once.
    func finish() -> HTTPBody {
        if let processor = unsafe processor {
            // The last field is only reported here.
            unsafe MHD_destroy_post_processor(processor)
            unsafe self.processor = nil
        }
        body.fields = values.map { HTTPField($0.name, String(decoding: $0.value, as: UTF8.self)) }
        values = []
        return body
    }

    private func take(_ name: String, _ fileName: String?, _ type: String, _ bytes: [UInt8], isFirst: Bool) -> Bool {
        if isFirst {
            guard values.count + body.uploads.count < Self.partsMax else {
                isBroken = true
                return false
            }
            if let fileName {
                body.uploads.append(HTTPUpload(field: name, fileName: fileName, contentType: type, bytes: []))
                current = .upload
            } else {
                values.append((name, []))
                current = .field
            }
        }
        switch current {
        case .none: return false
        case .field: values[values.count - 1].value += bytes
        case .upload: body.uploads[body.uploads.count - 1].bytes += bytes
        }
        return true
    }
}
