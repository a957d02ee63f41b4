import farcall


class Library:
    def __init__(self, books):
        self.books = books

    def search(self, word, on_progress):
        for i, book in enumerate(self.books):
            on_progress((i + 1) / len(self.books))
            if word in book:
                yield book


farcall.serve({"Library": Library})
