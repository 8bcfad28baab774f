import Foundation
internal import PunaBindings

#if canImport(FoundationNetworking)
internal import FoundationNetworking
#endif

/// A download's way to servers: the system's, with its proxies, roots and policies. It keeps neither cookies nor answers, and
/// goes nowhere by itself.
final class SystemConnection: HttpConnection, @unchecked Sendable {
    private let lock = NSLock()
    private var current: Transfer?
    private var isClosed = false

    deinit {
        abort()
    }

    func get(url: String, headers: [HttpHeader], stallSeconds: Double) throws -> HttpHead {
        guard let address = URL(string: url) else { throw HttpError.Unusable }
        var request = URLRequest(
            url: address, cachePolicy: .reloadIgnoringLocalCacheData, timeoutInterval: stallSeconds)
        for header in headers { request.setValue(header.value, forHTTPHeaderField: header.name) }
        let transfer = Transfer(request, stall: stallSeconds)
        try replace(with: transfer)
        let response = try transfer.response()
        return HttpHead(
            status: UInt16(clamping: response.statusCode),
            headers: response.allHeaderFields.map { HttpHeader(name: "\($0)", value: "\($1)") })
    }

    func read(length: UInt32) throws -> Data {
        guard let transfer = locked({ current }) else { throw HttpError.Unusable }
        return try transfer.read(Int(length))
    }

    func abort() {
        let last = locked {
            isClosed = true
            return current
        }
        last?.close()
    }

    private func replace(with transfer: Transfer) throws {
        let (before, late) = locked {
            defer { current = transfer }
            return (current, isClosed)
        }
        before?.close()
        if late { transfer.close() }
    }

    private func locked<T>(_ work: () -> T) -> T {
        lock.lock()
        defer { lock.unlock() }
        return work()
    }
}

/// One request and its answer, which is taken piece by piece by a thread that waits.
private final class Transfer: NSObject, URLSessionDataDelegate, @unchecked Sendable {
    /// Bytes that wait to be taken: with more, the network waits.
    private static let most = 1 << 20

    private let stall: TimeInterval
    private let condition = NSCondition()
    private var answered: URLResponse?
    private var held = Data()
    private var end: Result<Void, HttpError>?
    private var session: URLSession?

    init(_ request: URLRequest, stall: TimeInterval) {
        self.stall = stall
        super.init()
        let settings = URLSessionConfiguration.ephemeral
        settings.httpShouldSetCookies = false
        settings.httpCookieStorage = nil
        settings.urlCache = nil
        settings.urlCredentialStorage = nil
        // It holds this object, until it is closed.
        let session = URLSession(configuration: settings, delegate: self, delegateQueue: oneAfterTheOther())
        self.session = session
        session.dataTask(with: request).resume()
    }

    /// How the answer begins.
    func response() throws -> HTTPURLResponse {
        condition.lock()
        defer { condition.unlock() }
        try wait { answered != nil || end != nil }
        if case .failure(let error) = end, answered == nil { throw error }
        guard let response = answered as? HTTPURLResponse else { throw HttpError.Unusable }
        return response
    }

    /// At most `count` bytes of the body, and at least one; none: it has ended.
    func read(_ count: Int) throws -> Data {
        condition.lock()
        defer { condition.unlock() }
        try wait { !held.isEmpty || end != nil }
        if held.isEmpty {
            try end?.get()
            return held
        }
        let taken = held.prefix(count)
        held = held.count > count ? Data(held.dropFirst(count)) : Data()
        condition.broadcast()
        return Data(taken)
    }

    /// Ends it, from any thread. What has not been taken is gone.
    func close() {
        finish(.failure(.Broken(reason: "closed")), dropping: true)
        condition.lock()
        let session = session
        self.session = nil
        condition.unlock()
        session?.invalidateAndCancel()
    }

    /// Waits for what another thread does, with the lock held; not for longer than nothing may come.
    private func wait(_ isThere: () -> Bool) throws {
        let until = Date(timeIntervalSinceNow: stall)
        while !isThere() {
            guard condition.wait(until: until) else {
                throw HttpError.Broken(reason: "the server is silent")
            }
        }
    }

    private func finish(_ result: Result<Void, HttpError>, dropping: Bool = false) {
        condition.lock()
        defer { condition.unlock() }
        if end == nil { end = result }
        if dropping { held = Data() }
        condition.broadcast()
    }

    func urlSession(
        _ session: URLSession, task: URLSessionTask, willPerformHTTPRedirection response: HTTPURLResponse,
        newRequest request: URLRequest, completionHandler: @escaping @Sendable (URLRequest?) -> Void
    ) {
        // Whoever asked decides where to go.
        completionHandler(nil)
    }

    func urlSession(
        _ session: URLSession, dataTask: URLSessionDataTask, didReceive response: URLResponse,
        completionHandler: @escaping @Sendable (URLSession.ResponseDisposition) -> Void
    ) {
        condition.lock()
        answered = response
        condition.broadcast()
        condition.unlock()
        completionHandler(.allow)
    }

    func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
        condition.lock()
        defer { condition.unlock() }
        guard end == nil else { return }
        held.append(data)
        condition.broadcast()
        // The system reads on when this returns.
        while held.count > Self.most, end == nil { condition.wait() }
    }

    func urlSession(_ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?) {
        finish(error.map { .failure(HttpError($0)) } ?? .success(()))
    }
}

extension HttpError {
    /// What the system says, in the kinds that the store acts on. Its words name no address.
    fileprivate init(_ error: any Error) {
        let reason = error.localizedDescription
        self = switch (error as NSError).code {
        case NSURLErrorClientCertificateRequired...NSURLErrorSecureConnectionFailed,
            NSURLErrorAppTransportSecurityRequiresSecureConnection:
            .Untrusted(reason: reason)
        case NSURLErrorBadURL, NSURLErrorUnsupportedURL, NSURLErrorBadServerResponse, NSURLErrorCannotParseResponse:
            .Unusable
        default: .Broken(reason: reason)
        }
    }
}

#if canImport(FoundationNetworking)
/// A queue that runs what it is given at once. FoundationNetworking reads on while its delegate works, and would fill the
/// memory; so it waits.
private final class AtOnce: OperationQueue, @unchecked Sendable {
    override func addOperation(_ work: @Sendable @escaping () -> Void) {
        work()
    }
}

private func oneAfterTheOther() -> OperationQueue { AtOnce() }
#else
private func oneAfterTheOther() -> OperationQueue {
    let queue = OperationQueue()
    queue.maxConcurrentOperationCount = 1
    return queue
}
#endif
