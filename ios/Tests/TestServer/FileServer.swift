import Foundation

#if canImport(Glibc)
import Glibc
private let stream = Int32(SOCK_STREAM.rawValue)
private let quiet = Int32(MSG_NOSIGNAL)
private let (sendBytes, closeSocket) = (Glibc.send, Glibc.close)
#else
import Darwin
private let stream = SOCK_STREAM
private let quiet: Int32 = 0
private let (sendBytes, closeSocket) = (Darwin.send, Darwin.close)
#endif

/// A server of one file on this machine, which does as it is told: each connection takes the next manner, and the last one
/// stays.
public final class FileServer: @unchecked Sendable {
    public enum Manner: Sendable {
        /// Sends what is asked for.
        case well
        /// Closes after so many bytes of the body.
        case cut(Int)
        /// Is silent after so many bytes of the body.
        case stall(Int)
        /// Says this and sends no file.
        case says(Int)
        /// Leads to another address.
        case leadsTo(String)
    }

    private let lock = NSLock()
    private let file: Data
    private var manners: [Manner]
    private var heads: [String] = []
    private var bytes = 0
    private let listener: Int32
    private let port: UInt16

    public init(_ file: Data, _ manners: Manner...) {
        (self.file, self.manners) = (file, manners)
        listener = socket(AF_INET, stream, 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let (socket, size) = (listener, length)
        let isUp = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, size) == 0 && listen(socket, 8) == 0 && getsockname(socket, $0, &length) == 0
            }
        }
        precondition(isUp, "no port on this machine")
        port = UInt16(bigEndian: address.sin_port)
        Thread.detachNewThread { [weak self] in
            while true {
                let peer = accept(socket, nil, nil)
                guard peer >= 0, let server = self else { return }
                Thread.detachNewThread { server.answer(peer) }
            }
        }
    }

    /// The address of a file of this name.
    public func url(_ name: String) -> URL { URL(string: "http://127.0.0.1:\(port)/\(name)")! }

    /// The lines that each request began with, in small letters.
    public var requests: [String] { locked { heads } }

    /// Bytes of bodies that were handed to the system.
    public var sent: Int { locked { bytes } }

    /// Ends it: nobody answers any more.
    public func close() {
        shutdown(listener, Int32(SHUT_RDWR))
        _ = closeSocket(listener)
    }

    private func answer(_ peer: Int32) {
        defer { _ = closeSocket(peer) }
        guard let head = request(peer) else { return }
        let manner = locked {
            heads.append(head)
            return manners.count > 1 ? manners.removeFirst() : manners.first ?? .well
        }
        var from = 0
        if let range = head.range(of: "range: bytes=") { from = Int(head[range.upperBound...].prefix { $0 != "-" }) ?? 0 }
        switch manner {
        case .says(let status): say(peer, "\(status) Told", ["Content-Length: 0"])
        case .leadsTo(let place): say(peer, "302 Found", ["Location: \(place)", "Content-Length: 0"])
        case .well, .cut, .stall:
            let part = from > 0 ? ["Content-Range: bytes \(from)-\(file.count - 1)/\(file.count)"] : []
            let lines = ["Content-Length: \(file.count - from)", "ETag: \"one\"", "Accept-Ranges: bytes"]
            say(peer, from > 0 ? "206 Partial Content" : "200 OK", lines + part)
            body(peer, from, manner)
        }
    }

    private func body(_ peer: Int32, _ from: Int, _ manner: Manner) {
        var end = file.count
        switch manner {
        case .cut(let count), .stall(let count): end = min(end, from + count)
        default: break
        }
        var at = from
        while at < end {
            let piece = file[at..<min(end, at + 65_536)]
            guard send(peer, piece) else { return }
            at += piece.count
            locked { bytes += piece.count }
        }
        if case .stall = manner {
            // Until the other side goes.
            var byte: UInt8 = 0
            _ = recv(peer, &byte, 1, 0)
        }
    }

    private func request(_ peer: Int32) -> String? {
        var head = Data()
        var piece = [UInt8](repeating: 0, count: 4096)
        while head.range(of: Data("\r\n\r\n".utf8)) == nil {
            let count = recv(peer, &piece, piece.count, 0)
            guard count > 0 else { return nil }
            head.append(contentsOf: piece[0..<count])
        }
        return String(decoding: head, as: UTF8.self).lowercased()
    }

    private func say(_ peer: Int32, _ status: String, _ lines: [String]) {
        let head = ["HTTP/1.1 \(status)"] + lines + ["Connection: close", "", ""]
        _ = send(peer, Data(head.joined(separator: "\r\n").utf8))
    }

    private func send(_ peer: Int32, _ data: Data) -> Bool {
        data.withUnsafeBytes { bytes in
            var at = 0
            while at < bytes.count {
                let count = sendBytes(peer, bytes.baseAddress! + at, bytes.count - at, quiet)
                guard count > 0 else { return false }
                at += count
            }
            return true
        }
    }

    private func locked<T>(_ work: () -> T) -> T {
        lock.lock()
        defer { lock.unlock() }
        return work()
    }
}
