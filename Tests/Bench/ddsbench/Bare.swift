// What an idle TLS connection costs OpenSSL alone: accepted, shaken hands with under the node's own rules, greeted, and held. No
// loop, no protocol machine, nothing of ours behind the descriptor; what such a process grows by is the machine's own value.

import COpenSSL
import DDSCore
import DDSLoop
import DDSNode
import DDSTLS
import Glibc

@LoopActor enum Bare {
    /// Accepts connections one after the other, blocking, until it is killed. Each is greeted as a POP3 client expects it; with
    /// `isLoggedIn` it may also say one line, which is agreed to.
    static func serve(isLoggedIn: Bool) throws -> Never {
        let context = unsafe try context()
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = unsafe withUnsafeMutablePointer(to: &address) { address in
            let raw = unsafe UnsafeMutableRawPointer(address).assumingMemoryBound(to: sockaddr.self)
            return unsafe bind(descriptor, raw, size) | listen(descriptor, 511) | getsockname(descriptor, raw, &size)
        }
        guard descriptor >= 0, status == 0 else { throw BenchError("cannot listen") }
        Report.line([("port", .number(Int(UInt16(bigEndian: address.sin_port))))])
        var line = [UInt8](repeating: 0, count: 512)
        while true {
            let connection = accept(descriptor, nil, nil)
            guard connection >= 0 else { throw BenchError("a connection was not accepted") }
            guard let ssl = unsafe SSL_new(context), unsafe SSL_set_fd(ssl, connection) == 1, unsafe SSL_accept(ssl) == 1,
                unsafe SSL_write(ssl, "+OK\r\n", 5) == 5
            else { throw BenchError("a handshake failed") }
            if isLoggedIn {
                guard unsafe SSL_read(ssl, &line, Int32(line.count)) > 0, unsafe SSL_write(ssl, "+OK\r\n", 5) == 5 else {
                    throw BenchError("a client did not log in")
                }
                // The read that finds nothing is what gives the record buffer back, as it does on the node's loop.
                _ = fcntl(connection, F_SETFL, O_NONBLOCK)
                _ = unsafe SSL_read(ssl, &line, Int32(line.count))
            }
        }
    }

    /// The rules of `TLSContext.server`, said to OpenSSL directly.
    private static func context() throws -> OpaquePointer {
        let seed = [UInt8](repeating: 7, count: 32)
        let identity = try TLSIdentity.selfSigned(
            seed: seed, commonName: "localhost", notBefore: Loop.time.wall, lifetimeDays: 2)
        let text = identity.certificatePEM
        guard let context = unsafe SSL_CTX_new(TLS_server_method()), let memory = unsafe BIO_new(BIO_s_mem()),
            unsafe BIO_write(memory, text, Int32(text.count)) == text.count,
            let certificate = unsafe PEM_read_bio_X509(memory, nil, nil, nil),
            let key = unsafe EVP_PKEY_new_raw_private_key(NID_ED25519, nil, seed, seed.count),
            unsafe SSL_CTX_use_certificate(context, certificate) == 1, unsafe SSL_CTX_use_PrivateKey(context, key) == 1,
            unsafe SSL_CTX_set_num_tickets(context, 0) == 1, unsafe dds_ssl_ctx_set1_groups_list(context, "X25519:P-256") == 1
        else { throw BenchError("OpenSSL cannot be set up") }
        _ = unsafe SSL_CTX_set_options(context, DDS_SSL_OP_NO_TICKET | DDS_SSL_OP_NO_RENEGOTIATION | DDS_SSL_OP_NO_COMPRESSION)
        _ = unsafe dds_ssl_ctx_set_mode(context, Int(SSL_MODE_RELEASE_BUFFERS))
        _ = unsafe dds_ssl_ctx_set_session_cache_mode(context, Int(SSL_SESS_CACHE_OFF))
        unsafe SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
        unsafe SSL_CTX_set_cert_verify_callback(context, { _, _ in 1 }, nil)
        return unsafe context
    }
}
