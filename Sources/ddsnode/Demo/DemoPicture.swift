// A drawing for the demo, made by ourselves: a lake between two mountains, 120 by 80 squares, as PNG.

import DDSCore

enum DemoPicture {
    static let lake = Base64.decode(Array(drawing.utf8)) ?? []

    private static let drawing =
        "iVBORw0KGgoAAAANSUhEUgAAAHgAAABQCAMAAADlRUG7AAAASFBMVEWQtOSQwOScwOSowOSozOS0zOTk8PDAzORgbIRIYHjA2OTM2OTY2OTY5ORUkMBU"
            + "hLRIhLRIhKhIeKhIeJw8bJw8bJA8YJA8YISdNSJvAAABiklEQVR42u3XzXLCMAxG0a+tMBG0/Bfe/01LCAQnkWO7Y0sLuCtGQ+aMbBYBeLk+jLKDP416"
            + "w2+4Hvxl1BvWg8moF4QXaTnnFkVDKusK08hwi8rIYIvSyHPLychjy9FYztZrTdP0n5clQirb5NDMHIVX4cauJ6/m4q7Z76yQwabR/OxfsOxGZR6WDYfY"
            + "CM3TsmA353qyi7JhGutp8+yA9p7icIKxRpgNu/7ScVamkb+usDTHi8Au1fWX5rTm4HT2SXN6ITiP7WjOy4O/+/LdhvN7aPi5p8O2dR42RBup2mOYqBsR"
            + "1jkCmKhjWPO6YaK28PYW0Vaq4hgm6vb2b9FAbTfeCRHtqo9hok5hJXUE66k+rKr2sLbawvs90V6q8hh0kKLqY5ioEkxKRwATdQiT6nXDRH3AZPDTxpHo"
            + "KFV7DBP1KMI6R4DTMKKTVPkxTNQBrKk+YWX1Duurp9vr7a9U9TFMVBFWOgKYqCNY9bpxvkd0lqo2honawQbqdQwTtd34Mo3ocqk+hol67Q8jbarZ+uGt"
            + "SQAAAABJRU5ErkJggg=="
}
